"""HTTP: the request, the reply, what a route declares, and the way from one to the other."""
