"""From a manifest to one CloudFormation template. Pure."""
