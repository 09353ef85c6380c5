"""REST routes of who must know."""

from config.api import Router
from oncall.api.contacts import ContactMethodViewSet, NotificationRuleViewSet
from oncall.api.people import TeamViewSet, UserViewSet
from oncall.api.policies import EscalationPolicyViewSet
from oncall.api.schedules import ScheduleViewSet
from oncall.api.tokens import TokenViewSet

router = Router()
router.register("teams", TeamViewSet, "team")
router.register("users", UserViewSet, "user")
router.register("contact-methods", ContactMethodViewSet, "contact-method")
router.register("notification-rules", NotificationRuleViewSet, "notification-rule")
router.register("schedules", ScheduleViewSet, "schedule")
router.register("escalation-policies", EscalationPolicyViewSet, "escalation-policy")
router.register("tokens", TokenViewSet, "token")
urlpatterns = router.urls
