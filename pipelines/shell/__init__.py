"""The commands of builds: `fleet images` and `fleet sbom`. The only place of the builds that prints, exits and reads the environment."""
