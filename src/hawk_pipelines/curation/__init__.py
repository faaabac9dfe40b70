"""What makes a draft an annotation, and annotations samples."""
