"""Rows of the table, a file a thing: each with its queries, over the functions of `console.manage`."""
