"""What carrying picture and sound costs: the hall's edge beside aiortc's own ways, before the same seats."""
