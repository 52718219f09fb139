"""Files that grow by whole rows."""

import os

import pytest

from tfagents_core.loggers import files

FULL = "/dev/full"


def test_rows_are_on_disk_at_once_and_behind_those_of_before(tmp_path):
    path = tmp_path / "new" / "rows"
    for _ in range(2):
        file = files.AppendedFile(path)
        file.write(b"row\n")
        assert path.read_bytes().endswith(b"row\n")
        file.close()
        file.close()
    assert path.read_bytes() == b"row\nrow\n"


@pytest.mark.skipif(not os.path.exists(FULL), reason=f"there is no {FULL}")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "rows"
    path.symlink_to(FULL)
    file = files.AppendedFile(path)
    with pytest.raises(OSError, match="No space left on device") as error:
        file.write(b"row\n")
    assert error.value.filename == str(path)
    file.close()
