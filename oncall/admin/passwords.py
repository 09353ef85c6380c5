"""Choosing a password by a link that an admin handed over. For people who are not signed in."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.urls import reverse_lazy

from oncall.models import User


class ChoosePassword(PasswordResetConfirmView):
    """Show the form for a link that still counts; store the password, which makes the link void."""

    template_name = "oncall/choose_password.html"
    success_url = reverse_lazy("console-password-chosen")
    title = "Choose a password"

    def get_user(self, uidb64: str) -> User | None:
        """Return whom the link is for; nobody if that person is deactivated."""
        user = super().get_user(uidb64)
        return user if isinstance(user, User) and user.is_active else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page shows, within the frame of the sign-in page."""
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}


class PasswordChosen(PasswordResetCompleteView):
    """Say that it worked, with the way to sign in."""

    template_name = "oncall/password_chosen.html"
    title = "Your password is set"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page shows, within the frame of the sign-in page."""
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}
