"""Postbacks: partners are told what their clicks have led to."""
