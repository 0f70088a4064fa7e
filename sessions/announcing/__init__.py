"""From a tender file and a rule pack to the plan that an opening is announced with. Pure."""
