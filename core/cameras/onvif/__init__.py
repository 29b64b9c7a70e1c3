"""ONVIF: finding cameras, asking them what they are, steering them."""
