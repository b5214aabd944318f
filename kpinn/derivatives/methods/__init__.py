"""The methods: each is a function from a function, points and requests to derivatives."""
