"""The store in a PostgreSQL database, which several hosts share. Only this room imports SQLAlchemy."""
