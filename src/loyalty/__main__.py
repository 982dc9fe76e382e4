"""The command line as ``python -m loyalty``, for where the folder of scripts is not on the path."""

from loyalty.cli import main

if __name__ == "__main__":
    main()
