"""The console's site: the admin itself, at /."""

from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    """Tocsin's pages for people."""

    site_header = site_title = "Tocsin"
    final_catch_all_view = False  # unknown machine paths must answer JSON, not a login page
