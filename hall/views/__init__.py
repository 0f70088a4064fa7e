"""What each audience may see of an opening, and in which parts it is made. Pure."""
