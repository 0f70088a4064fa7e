"""How dear a fact is to a crowd: the hall's doors beside the barest server there is and what people use instead."""
