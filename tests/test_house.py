"""Who does not wait for torch; who may import whom is the matter of import-linter."""

import subprocess
import sys


def test_preparation_and_help_do_not_wait_for_torch() -> None:
    """Importing torch and Lightning takes seconds that extraction and --help do not need."""
    code = (
        "import sys, har, har.cli, har.layouts, har.geometry, har.data.ntu.prepare, "
        "har.synthetic.ntu, har.prepare.ntu, har.prepare.synthetic, "
        "har.prepare.mpii, har.prepare.persons, har.prepare.actions, har.prepare.check; "
        "print([m for m in ('torch', 'pytorch_lightning', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
