"""Who is let in: launch codes and the browsers they let in, tokens, and one function that finds the actor (decision 0008)."""
