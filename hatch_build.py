"""Put a real file in the sdist where the repository has a link."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManifestHook(BuildHookInterface):
    """Copy the packaged napari manifest to the root of the sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the copy to the files of the build; `version` is hatchling's kind of build."""
        self._folder = tempfile.mkdtemp()
        copy = Path(self._folder) / "napari.yaml"
        shutil.copyfile(Path(self.root) / "src" / "napari_infoleak" / "napari.yaml", copy)
        build_data["force_include"][str(copy)] = "napari.yaml"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the copy."""
        shutil.rmtree(self._folder)
