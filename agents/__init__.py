"""The agents, one folder each; imported as `tfagents_core.agents.<name>`."""
