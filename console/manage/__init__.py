"""What is managed, once for the shell and for the API: each module checks what is asked, does it, and notes who did."""
