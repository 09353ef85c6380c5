"""The console's pages of who must know: schedules, escalation policies, people, teams, one's own page, API tokens."""
