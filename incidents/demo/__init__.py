"""A believable team and three months of its incidents, to look around in: put in by `manage.py demo`, taken out again.

    uuids       how the demo's rows are known
    faults      what can go wrong at a shop: words
    troubles    pure: what went wrong when, in three months
    story       pure: what is written down about one trouble
    telling     pure: how it went: who was paged, who answered, what was told
    cast        people, schedules, policies, sources, destinations
    record      stories as rows: incidents, climbs, timelines, raw events
    sent        what was sent in them: pages, deliveries, attempts
    filling     all of it, in pieces
    removal     exactly that away again

Nothing of it is ever sent: the past is written as settled, nothing in it is due, and its destinations are switched off.
"""
