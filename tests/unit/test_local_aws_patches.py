"""The patches of MiniStack fit the version that is installed."""

from importlib.metadata import version

from fanfold.local_aws import patches


def test_the_patches_are_written_for_the_version_that_is_pinned() -> None:
    """After an update of MiniStack, check every patch, then change WRITTEN_FOR."""
    assert version("ministack") == patches.WRITTEN_FOR


def test_every_patch_has_a_reason_and_replaces_something() -> None:
    assert all(hasattr(patch.owner, patch.name) and patch.reason for patch in patches.PATCHES)
