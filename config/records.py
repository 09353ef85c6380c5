"""What every row that is named outside has: a UUID, and when it was made and changed."""

import uuid

from django.db import models


class Record(models.Model):
    """Primary keys are bigints and stay inside; the `id` that people and programs see is `uuid`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
