"""The private name of TensorFlow that the engine needs."""


def function_graph(graph, name):
    """The traced graph of a function that an operation of `graph` calls by name."""
    return graph._get_function(name).graph
