"""Picture and sound: processes beside the hall. The opening goes on with all of them dead."""
