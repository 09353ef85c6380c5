"""REST routes of how they are told."""

from config.api import Router
from destinations.api import ConnectorViewSet

router = Router()
router.register("connectors", ConnectorViewSet, "connector")
urlpatterns = router.urls
