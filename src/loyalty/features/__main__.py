"""Write the page of the catalogue: ``python -m loyalty.features > docs/features.md``."""

import sys

from loyalty.features.catalogue import CATALOGUE, catalogue_page

if __name__ == "__main__":
    # As bytes: a console need not know Korean.
    sys.stdout.buffer.write(catalogue_page(CATALOGUE.values()).encode())
