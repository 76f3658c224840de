"""Floor 2: the networks, as pure modules: tensors of stated shapes in, tensors out.

They know neither files nor support sets nor users. `leakage_net` puts the parts together for
annotation leakage: `unet` gives features, `read_out` lets annotations leak in.
"""
