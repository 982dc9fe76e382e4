"""How the documentation is built: `sphinx-build -W --keep-going -b html docs docs/_build/html`; no network is asked."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "loyalty"
author = "The loyalty authors"
project_copyright = "the loyalty authors; Apache 2.0"
version = release = version_of("loyalty")

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser", "repository_pages", "command_line"]
exclude_patterns = ["_build"]
# A single backtick names an object where there is one, and is code where there is none.
default_role = "py:obj"
highlight_language = "text"
toc_object_entries_show_parents = "hide"

# What scikit-learn adds to every model is no part of it.
_FOREIGN = "set_fit_request, set_predict_request, set_predict_proba_request, set_score_request, set_transform_request"
autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": _FOREIGN}
autodoc_typehints = "none"  # docstrings say the types, with shapes and units
autodoc_preserve_defaults = True
numpydoc_show_class_members = False

myst_heading_anchors = 3

html_theme = "furo"
html_title = f"loyalty {version}"
html_static_path = ["_static"]
html_css_files = ["loyalty.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1c5ba6", "color-brand-content": "#1c5ba6"},
    "dark_css_variables": {"color-brand-primary": "#7fb2ec", "color-brand-content": "#7fb2ec"},
}
