"""Asking a trained model about video files."""
