"""The web server that answers Prometheus on the host and on a board; knows neither of them."""
