"""How a hall is run: the server of one process, several of them behind one socket, and picture and sound beside."""
