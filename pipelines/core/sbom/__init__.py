"""Software bills of materials: CycloneDX as it stands in an image and beside it, compared and searched."""
