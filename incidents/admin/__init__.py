"""The console's pages of alerting: alert sources, alert destinations, connections, deliveries."""
