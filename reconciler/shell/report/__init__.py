"""Reports: values as text for people and programs. Pure: everything returns str, nothing prints."""
