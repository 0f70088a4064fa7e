"""The live room: one read model, a view for each audience, and the hub that tells everyone. See PROTOCOL.md."""
