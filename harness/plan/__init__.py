"""From a configuration to the jobs of the DAG. No torch here, except what a method's code imports."""
