"""The folder of this checkout, and the CDK's command line in it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CDK = (str(ROOT / "node_modules" / ".bin" / "cdk"), "--no-notices")
