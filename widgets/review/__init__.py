"""The queue of incidents that wait for what operators make of them."""
