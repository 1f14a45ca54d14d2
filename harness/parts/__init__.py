"""What a method is put together from: its own plug-ins and those that the harness offers."""
