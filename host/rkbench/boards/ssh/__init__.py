"""SSH: configuration, host keys, login, one connection with its channels. Only this room knows paramiko."""
