"""Roles, and who may do what."""

from django.contrib.auth.backends import ModelBackend


class RoleBackend(ModelBackend):
    """Answers `user.has_perm(perm, obj)`."""
