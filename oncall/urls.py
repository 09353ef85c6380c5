"""REST routes of who must know."""

from config.api import Router
from oncall.api.contacts import ContactMethodViewSet, NotificationRuleViewSet
from oncall.api.people import TeamViewSet, UserViewSet
from oncall.api.tokens import TokenViewSet

router = Router()
router.register("teams", TeamViewSet, "team")
router.register("users", UserViewSet, "user")
router.register("contact-methods", ContactMethodViewSet, "contact-method")
router.register("notification-rules", NotificationRuleViewSet, "notification-rule")
router.register("tokens", TokenViewSet, "token")
urlpatterns = router.urls
