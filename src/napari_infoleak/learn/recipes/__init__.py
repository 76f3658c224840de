"""Ways of training, one a file."""
