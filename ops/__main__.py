"""`python -m ops`: the `billing` command."""

from ops.cli import app

if __name__ == "__main__":
    app(prog_name="billing")
