"""What the benches of the gate share: machines and tunnels made of namespaces, load, figures."""
