"""Reports: values in, text out. Nothing here prints, reads or decides."""
