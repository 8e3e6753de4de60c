"""What is managed, once for the shell and for the API: each module checks what it is asked, does it, and notes who did."""
