"""The ground: settings, routes, jobs, and what REST, secrets and health stand on."""
