"""What is said in English, told in the language of who reads it."""
