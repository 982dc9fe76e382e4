"""From words and numbers to one HTML document that runs nothing and asks for nothing."""

import base64
import hashlib
from typing import Any

import jinja2
from markupsafe import Markup

from loyalty.report import figures

_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def fill_page(**parts: Any) -> str:
    """Fill the page's template, with its one style sheet and the policy that allows this sheet and nothing else.

    Lengths of bars are classes (``w0`` to ``w100``) of the sheet: with no style in an attribute, the policy needs no
    exception, and markup that found its way in would not even be given a colour.

    Parameters
    ----------
    **parts
        What the template names; text is escaped, `markupsafe.Markup` is not.

    Returns
    -------
    str
        The HTML document.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("loyalty.report", package_path=""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The sheet is made of our own rules and colours; escaped, its quotes would break.
    style = Markup(templates.get_template("page.css.j2").render(palette=figures.PALETTE, drawn=figures.DRAWN))  # noqa: S704
    return templates.get_template("page.html.j2").render(style=style, policy=policy_for(style), **parts)


def policy_for(style: str) -> str:
    """Write the Content-Security-Policy under which one style sheet works, and no script, request, form or base.

    Parameters
    ----------
    style : str
        The content of the page's ``<style>``, to the letter.

    Returns
    -------
    str
        The policy, for a ``<meta>``.

    Examples
    --------
    Another sheet, be it one blank longer, is another policy:

    >>> policy_for("p { margin: 0 }") == policy_for("p { margin: 0 } ")
    False
    """
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return _POLICY.format(digest=digest)
